import { vi } from 'vitest'

// The answers of the real server, by the paths that otherwise only large transactions take.
vi.mock('./step-rows.ts', () => ({ STEP_ROWS: 1 }))

await import('./golden.test.ts')
