import { type Random, uuid4 } from '../base/random.ts'
import type { Draft } from '../ovsdb/client/draft.ts'
import { parseUuid, type TableSchema } from '../ovsdb/schema/index.ts'
import { fatal } from './error.ts'

interface Entry {
  readonly uuid: string
  created: boolean
  table: TableSchema | undefined
}

/** The names of one run: `--id=@name` gives a row a name that other commands use, before or after. */
export class SymbolTable {
  private readonly entries = new Map<string, Entry>()
  constructor(private readonly random: Random) {}

  private entry(name: string): Entry {
    let entry = this.entries.get(name)
    if (!entry) {
      entry = { uuid: uuid4(this.random), created: false, table: undefined }
      this.entries.set(name, entry)
    }
    return entry
  }

  /** What a value's `@name` stands for. */
  resolve(name: string): string {
    return this.entry(name).uuid
  }

  declare(id: string, table: TableSchema): string {
    if (!id.startsWith('@')) return parseUuid(id) ?? fatal(`row id "${id}" does not begin with "@"`)
    const entry = this.entry(id)
    if (entry.created) fatal(`row id "${id}" may only be specified on one --id option`)
    entry.created = true
    entry.table = table
    return entry.uuid
  }

  bind(id: string, uuid: string): void {
    if (!id.startsWith('@')) fatal(`row id "${id}" does not begin with "@"`)
    if (this.entries.has(id)) fatal(`row id "${id}" specified on "get" command was used before it was defined`)
    this.entries.set(id, { uuid, created: true, table: undefined })
  }

  /** Fails for names that were used and never given; returns what to warn of. */
  finish<T>(draft: Draft<T>): string[] {
    const lost: string[] = []
    for (const [name, entry] of this.entries) {
      if (!entry.created) {
        fatal(`row id "${name}" is referenced but never created (e.g. with "-- --id=${name} create ...")`)
      }
      if (entry.table && !entry.table.isRoot && !draft.refersTo(entry.table.name, entry.uuid)) {
        lost.push(
          `row id "${name}" was created but no reference to it was inserted, so it will not actually appear in the database`,
        )
      }
    }
    return lost
  }
}
