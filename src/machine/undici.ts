// What is used of undici, by name: bundled, the package itself would come as one default export.

export { Agent, EnvHttpProxyAgent, Pool } from 'undici'
