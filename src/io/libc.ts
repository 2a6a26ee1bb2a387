import { createRequire } from 'node:module'

type Koffi = typeof import('koffi')

/** The C library of Linux, and the number of the last error that a function of it had. */
export interface Libc {
  readonly functions: ReturnType<Koffi['load']>
  errno(): number
}

/**
 * Functions of the C library, made by `declare` when they are first asked for. They are undefined everywhere but on
 * Linux, and without the optional package koffi; the caller says what does not work then.
 */
export function ofLibc<T>(declare: (libc: Libc) => T | undefined): () => T | undefined {
  let made: { readonly value: T | undefined } | undefined
  return () => {
    made ??= { value: load(declare) }
    return made.value
  }
}

function load<T>(declare: (libc: Libc) => T | undefined): T | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi
    return declare({ functions: koffi.load('libc.so.6'), errno: () => koffi.errno() })
  } catch {
    return undefined
  }
}
