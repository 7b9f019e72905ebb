/** Feishu's numbers with HTTP status, OAuth `error` string and English text. */

type TokenError = { status: number; error: string; description: string }

function refusal(error: string, description: string, status = 400): TokenError {
  return { status, error, description }
}

/** Every error of the token endpoint. `error` strings beyond the observed ones are the RFC 6749 §5.2 kin. */
export const TOKEN_ERRORS: Readonly<Record<number, TokenError>> = {
  20001: refusal('invalid_request', 'The request is missing a required parameter.'),
  20002: refusal('invalid_client', 'The client secret is invalid.'),
  20003: refusal(
    'invalid_grant',
    'The authorization code is not found. Please note that an authorization code can only be used once.',
  ),
  20004: refusal('invalid_grant', 'The authorization code has expired.'),
  20008: refusal('unauthorized_client', 'The user does not exist.'),
  20009: refusal('unauthorized_client', 'The specified app is not installed.'),
  20010: refusal('unauthorized_client', 'The user does not have permission to use this app.'),
  20024: refusal(
    'invalid_grant',
    'The provided authorization code or refresh token does not match the provided client ID.',
  ),
  20026: refusal('invalid_grant', 'The refresh token passed is invalid. Please check the value.'),
  20036: refusal('unsupported_grant_type', 'The specified grant_type is not supported.'),
  20037: refusal('invalid_grant', 'The refresh token passed has expired. Please generate a new one.'),
  20048: refusal('invalid_client', 'The specified app does not exist.'),
  20049: refusal('invalid_grant', 'PKCE code challenge failed.'),
  20050: refusal('server_error', 'An unexpected server error occurred. Please retry your request.', 500),
  20063: refusal('invalid_request', 'The request is malformed. Please check your request.'),
  20064: refusal(
    'invalid_grant',
    'The refresh token has been revoked. Please note that a refresh token can only be used once.',
  ),
  20065: refusal(
    'invalid_grant',
    'The authorization code has been used. Please note that an authorization code can only be used once.',
  ),
  20066: refusal('unauthorized_client', 'The user status is invalid.'),
  20067: refusal(
    'invalid_scope',
    'The provided scope list contains duplicate scopes. Please ensure all scopes are unique.',
  ),
  20068: refusal(
    'invalid_scope',
    'The provided scope list contains scopes that are not permitted. Please ensure all scopes are allowed.',
  ),
  20069: refusal('unauthorized_client', 'The specified app is not enabled.'),
  20070: refusal(
    'invalid_request',
    'Multiple authentication methods were provided. Please only use one to proceed.',
  ),
  20071: refusal(
    'invalid_grant',
    'The provided redirect URI does not match the one used during authorization.',
  ),
  20072: refusal(
    'temporarily_unavailable',
    'The server is temporarily unavailable. Please retry your request.',
    503,
  ),
  20073: refusal(
    'invalid_grant',
    'The refresh token has been used. Please note that a refresh token can only be used once.',
  ),
  20074: refusal('unauthorized_client', 'The specified app is not allowed to refresh token.'),
  21000: refusal('access_denied', 'Blocked by the security policy; complete the challenge to go on.'),
  21001: refusal('access_denied', 'Blocked by the security policy.'),
}

type ApiError = { status: number; msg: string }

/** Errors of the gateway and of user_info, in the shape `{code, msg}`. */
export const API_ERRORS: Readonly<Record<number, ApiError>> = {
  10003: { status: 400, msg: 'invalid param' },
  10014: { status: 400, msg: 'app secret invalid' },
  20001: { status: 200, msg: 'bad request' },
  20005: { status: 200, msg: 'The user access token passed is invalid.' },
  20008: { status: 200, msg: 'User not exist' },
  20021: { status: 200, msg: 'User resigned' },
  20022: { status: 200, msg: 'User frozen' },
  20023: { status: 200, msg: 'User not registered' },
  20050: { status: 500, msg: 'An unexpected server error occurred. Please retry your request.' },
  99991400: { status: 429, msg: 'request trigger frequency limit' },
  99991401: { status: 400, msg: 'ip is denied by app setting' },
  99991661: {
    status: 400,
    msg: 'Missing access token for authorization. Please make a request with token attached.',
  },
  99991663: {
    status: 400,
    msg: 'Invalid access token for authorization. Please make a request with token attached.',
  },
  99991668: {
    status: 400,
    msg: 'Invalid access token for authorization. Please make a request with token attached.',
  },
  99991672: { status: 400, msg: 'Access denied. One of the following scopes is required: ' },
  99991677: { status: 401, msg: 'Authentication token expired. Please request a new one.' },
  99991679: {
    status: 400,
    msg: 'Unauthorized. You do not have permission to perform the requested operation on the resource. Please request user re-authorization and try again. required one of these privileges: ',
  },
}

/** What the authorize page says, without the number. */
export const PAGE_ERRORS: Readonly<Record<number, { zh: string; en: string }>> = {
  20001: { zh: '请求不合法', en: 'The request is invalid.' },
  20010: { zh: '你没有使用该应用的权限', en: 'You do not have permission to use this app.' },
  20027: {
    zh: '当前应用权限不足，请联系应用管理员。',
    en: 'Insufficient application permissions. Please contact the application administrator.',
  },
  20028: { zh: '应用不存在（app id 有误）', en: 'Invalid app id.' },
  20029: { zh: '重定向 URL 有误', en: 'redirect_uri request is invalid.' },
  20043: { zh: 'scope 有误，请修改后重试', en: 'scope error. Please edit and try again' },
  20046: { zh: '品牌不一致', en: 'Brand inconsistency.' },
  20069: { zh: '应用未启用', en: 'The app is not enabled.' },
}
