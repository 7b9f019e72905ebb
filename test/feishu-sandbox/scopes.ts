/** What the emulated platform knows of a scope: its titles, and whether a person can grant it. */

export type ScopeEntry = { title: string; titleEn: string; identity: 'user' | 'tenant' }

function user(title: string, titleEn: string): ScopeEntry {
  return { title, titleEn, identity: 'user' }
}

function tenant(title: string, titleEn: string): ScopeEntry {
  return { title, titleEn, identity: 'tenant' }
}

/** A part of the platform's catalogue; every name is a real one. */
export const CATALOGUE: ReadonlyMap<string, ScopeEntry> = new Map([
  ['auth:user.id:read', user('获取用户基本身份', 'Read the basic identity of the user')],
  ['user_profile', user('获取用户基本信息', 'Read the profile of the user')],
  ['offline_access', user('持续访问已授权的数据', 'Keep access to authorized data')],
  ['docx:document', user('创建及编辑新版文档', 'Create and edit documents')],
  ['docx:document:create', user('创建新版文档', 'Create documents')],
  ['docx:document:readonly', user('查看新版文档', 'View documents')],
  ['docx:document:write_only', user('编辑新版文档', 'Edit documents')],
  ['drive:drive', user('查看、评论、编辑和管理云空间中所有文件', 'Manage all files in the drive')],
  ['drive:drive:readonly', user('查看、评论和下载云空间中所有文件', 'View and download files in the drive')],
  ['sheets:spreadsheet', user('查看、评论、编辑和管理电子表格', 'Manage spreadsheets')],
  ['sheets:spreadsheet:readonly', user('查看、评论和导出电子表格', 'View spreadsheets')],
  ['bitable:app', user('查看、评论、编辑和管理多维表格', 'Manage bases')],
  ['bitable:app:readonly', user('查看、评论和导出多维表格', 'View bases')],
  ['wiki:wiki', user('查看、编辑和管理知识库', 'Manage wikis')],
  ['wiki:wiki:readonly', user('查看知识库', 'View wikis')],
  ['search:docs:read', user('搜索云文档', 'Search documents')],
  ['im:message', user('获取与发送单聊、群组消息', 'Read and send messages')],
  ['im:message:readonly', user('获取单聊、群组消息', 'Read messages')],
  ['im:message.send_as_user', user('以用户身份发送消息', 'Send messages as the user')],
  ['im:message.group_msg:readonly', user('获取用户在群组中的消息', 'Read group messages')],
  ['im:chat', user('获取与更新群组信息', 'Manage chats')],
  ['im:chat:readonly', user('获取群组信息', 'Read chats')],
  ['contact:user.base:readonly', user('获取用户基本信息', 'Read basic contact data')],
  ['contact:user.email:readonly', user('获取用户邮箱信息', 'Read the email address of users')],
  ['contact:user.phone:readonly', user('获取用户手机号', 'Read the mobile number of users')],
  ['contact:user.employee:readonly', user('获取用户受雇信息', 'Read the employment data of users')],
  ['contact:user.employee_id:readonly', user('获取用户 user ID', 'Read the user id of users')],
  ['calendar:calendar', user('更新日历及日程信息', 'Manage calendars')],
  ['calendar:calendar:readonly', user('获取日历、日程及忙闲信息', 'Read calendars')],
  ['contact:user:search', user('搜索用户', 'Search users')],
  ['contact:contact.base:readonly', user('获取通讯录基本信息', 'Read basic contacts')],
  ['docs:document.media:download', user('下载云文档中的图片和附件', 'Download media of documents')],
  ['docs:document.media:upload', user('上传图片和附件到云文档中', 'Upload media to documents')],
  ['docs:document.comment:read', user('获取云文档中的评论', 'Read comments')],
  ['docs:document.comment:create', user('添加、回复云文档中的评论', 'Add comments')],
  ['wiki:node:read', user('查看知识空间节点信息', 'View wiki nodes')],
  ['wiki:node:create', user('创建知识空间节点', 'Create wiki nodes')],
  ['board:whiteboard:node:read', user('查看画板节点', 'View whiteboard nodes')],
  ['board:whiteboard:node:create', user('创建画板节点', 'Create whiteboard nodes')],
  ['im:chat:read', user('查看群信息', 'View chats')],
  ['docs:document:import', user('导入云文档', 'Import documents')],
  ['docs:permission.member:create', user('添加云文档协作者', 'Add collaborators to documents')],
  ['task:task:read', user('查看任务信息', 'View tasks')],
  ['task:task:write', user('更新任务信息', 'Edit tasks')],
  ['im:message:send_as_bot', tenant('以应用的身份发消息', 'Send messages as the app')],
  ['im:message.group_msg', tenant('获取群组中所有消息', 'Read all group messages')],
  ['application:application:self_manage', tenant('管理应用自身资源', 'Manage the app itself')],
])

/** What a new sandbox app has enabled (all that the hosted tools need); calendars, tasks to edit and the whole drive stay out, to show 20027. */
export const DEFAULT_SCOPES: readonly string[] = [
  'auth:user.id:read',
  'user_profile',
  'offline_access',
  'docx:document',
  'docx:document:create',
  'docx:document:readonly',
  'docx:document:write_only',
  'drive:drive:readonly',
  'wiki:wiki:readonly',
  'search:docs:read',
  'im:message',
  'im:message.send_as_user',
  'im:chat:readonly',
  'contact:user.base:readonly',
  'contact:user.email:readonly',
  'task:task:read',
  'contact:user:search',
  'contact:contact.base:readonly',
  'docs:document.media:download',
  'docs:document.media:upload',
  'docs:document.comment:read',
  'docs:document.comment:create',
  'wiki:node:read',
  'wiki:node:create',
  'board:whiteboard:node:read',
  'board:whiteboard:node:create',
  'im:chat:read',
]

/** Whether a person can grant it. */
export function isUserScope(scope: string): boolean {
  return CATALOGUE.get(scope)?.identity === 'user'
}
