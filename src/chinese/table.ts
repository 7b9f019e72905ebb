// The form of a table: the English line, `{name}` for each value, then the Chinese.

/** A line in English without its full stop → Chinese. A `{hole}` stands for a value. */
export type Table = Readonly<Record<string, string>>
