// What is known of the computer before it is asked for anything: what it runs on, where programs look for their files.

export type Environment = Readonly<Record<string, string | undefined>>

export type System = { platform: NodeJS.Platform; environment: Environment }

/** With the home directory, which paths depend on. */
export type Machine = System & { home: string }
