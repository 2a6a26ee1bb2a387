import { err, ok, type Result } from '../../base/result.ts'
import type { LogEvent } from '../event.ts'
import { levelNumber, numberNamed } from './levels.ts'
import type { Options } from './options.ts'
import { mappedValue, nestedContext } from './pattern.ts'

/** Whether an event is written; `neutral` leaves it to the filters that follow. */
export type Filter = (event: LogEvent) => 'accept' | 'deny' | 'neutral'

/** Whether the filters let an event through: it is written when none says no before one says yes. */
export function passes(filters: readonly Filter[], event: LogEvent): boolean {
  for (const filter of filters) {
    const verdict = filter(event)
    if (verdict !== 'neutral') return verdict === 'accept'
  }
  return true
}

/** A filter by the name of its class, without log4cplus's namespace. */
export function filterNamed(name: string, options: Options, warn: (message: string) => void): Result<Filter> {
  const accepts = options.flag('AcceptOnMatch', true)
  const level = (option: string): number | undefined => {
    const text = options.get(option) ?? ''
    const number = numberNamed(text)
    if (number === undefined) warn(`${option}: Unrecognized log level: ${text}`)
    return number
  }
  const verdict = (yes: boolean) => (yes ? 'accept' : 'deny')
  switch (name) {
    case 'DenyAllFilter':
      return ok(() => 'deny')
    case 'LogLevelMatchFilter': {
      const wanted = level('LogLevelToMatch')
      return ok((event) => (levelNumber(event.level) === wanted ? verdict(accepts) : 'neutral'))
    }
    case 'LogLevelRangeFilter': {
      const least = level('LogLevelMin') ?? Number.NEGATIVE_INFINITY
      const most = level('LogLevelMax') ?? Number.POSITIVE_INFINITY
      return ok((event) => {
        const number = levelNumber(event.level)
        if (number < least || number > most) return 'deny'
        return accepts ? 'accept' : 'neutral'
      })
    }
    case 'StringMatchFilter': {
      const wanted = options.get('StringToMatch') ?? ''
      return ok((event) => (wanted !== '' && event.message.includes(wanted) ? verdict(accepts) : 'neutral'))
    }
    case 'NDCMatchFilter': {
      const wanted = options.get('NDCToMatch') ?? ''
      const neutral = options.flag('NeutralOnEmpty', true)
      return ok((event) => {
        const context = nestedContext(event.fields)
        if (neutral && (wanted === '' || context === '')) return 'neutral'
        return verdict((context === wanted) === accepts)
      })
    }
    case 'MDCMatchFilter': {
      const [key, wanted] = [options.get('MDCKeyToMatch') ?? '', options.get('MDCValueToMatch') ?? '']
      const neutral = options.flag('NeutralOnEmpty', true)
      return ok((event) => {
        const value = mappedValue(event.fields, key)
        if (neutral && (key === '' || wanted === '' || value === '')) return 'neutral'
        return verdict((value === wanted) === accepts)
      })
    }
    default:
      return err(`Cannot find filter "${name}"`)
  }
}
