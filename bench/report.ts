import type { Figure } from './figure.ts'
export async function writeDocs(_figures: readonly Figure[], _nodeVersion: string): Promise<void> {}
