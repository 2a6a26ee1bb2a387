declare module 'pino-roll' {
  /** A destination for pino: FILE.1, FILE.2 ..., each of at most `size`. */
  export default function roll(options: {
    readonly file: string
    readonly size: string
    readonly limit: { readonly count: number }
    readonly sync?: boolean
  }): Promise<unknown>
}
