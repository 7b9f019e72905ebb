/** English without its full stop → Chinese. A `{hole}` stands for a value, a `{#hole}` for a number. */
export type Table = Readonly<Record<string, string>>
