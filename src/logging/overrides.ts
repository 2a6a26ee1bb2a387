import { LEVELS, type Level } from '../base/log.ts'

/** A level as it can be set while the program runs; `off` lets nothing through. */
export type SetLevel = Level | 'off'

/** Levels that were set while the program runs (`vlog/set`): they take the place of those of the configuration. */
export class LevelOverrides {
  private all: SetLevel | undefined
  private readonly modules = new Map<string, SetLevel>()

  /** For one module, or for all. */
  set(module: string | undefined, level: SetLevel): void {
    if (module !== undefined) {
      this.modules.set(module, level)
      return
    }
    this.all = level
    this.modules.clear()
  }

  /** Whether a module may log at a level; undefined where the configuration decides. */
  admits(level: Level, module: string): boolean | undefined {
    const set = this.modules.get(module) ?? this.all
    if (set === undefined) return undefined
    return set !== 'off' && LEVELS.indexOf(level) <= LEVELS.indexOf(set)
  }
}
