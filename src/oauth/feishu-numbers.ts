// Feishu's error numbers that the program acts on; what each means to people is in feishu-errors.ts.

/** The access token is past its end: only a newer one helps. */
export const ACCESS_TOKEN_EXPIRED = 99991677

/** Past its end, invalid or revoked: as the gateway before Feishu's APIs says it, and as `user_info` does. */
export const ACCESS_TOKEN_REFUSED: readonly number[] = [ACCESS_TOKEN_EXPIRED, 99991668, 20005]

/** The token is of the kind that an app has, or of no known kind: a renewal does not help. */
export const WRONG_TOKEN_KIND: readonly number[] = [99991663, 99991671]

/** The person of the access token is unknown, has left, is frozen or not registered. */
export const PERSON_GONE: readonly number[] = [20008, 20021, 20022, 20023]

/** Unknown App ID, wrong App Secret: `tenant_access_token/internal`, then the token endpoint. */
export const CREDENTIALS_WRONG: readonly number[] = [10003, 10014, 20002, 20048]

/** The refresh token was presented before. */
export const REFRESH_TOKEN_USED: readonly number[] = [20064, 20073]
