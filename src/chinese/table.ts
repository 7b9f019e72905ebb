/** A line in English without its full stop → Chinese. A `{hole}` stands for a value. */
export type Table = Readonly<Record<string, string>>
