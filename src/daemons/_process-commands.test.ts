import { expect, it } from 'vitest'
import { VirtualClock } from '../base/clock.ts'
import type { ControlCommand } from '../base/command.ts'
import { keptLog } from '../base/log.ts'
import { Stopwatch } from '../base/stopwatch.ts'
import { WarpClock } from '../base/warp-clock.ts'
import { CONTROLLER_COMMANDS, notBuilt, notReady, SWITCH_NOT_BUILT } from './_command-forms.ts'
import { computeLogTimeout, memoryCommand, stopwatchCommands, timewarpCommand } from './_process-commands.ts'

function ask(commands: readonly ControlCommand[], name: string, ...args: string[]): string | undefined {
  let answer: string | undefined
  const command = commands.find((c) => c.name === name)
  command?.run(args, { ok: (text) => void (answer = text), error: (text) => void (answer = `error: ${text}`) })
  return answer
}

it('warps the time once it may', () => {
  const below = new VirtualClock(0)
  const clock = new WarpClock(below)
  const commands: ControlCommand[] = []
  commands.push(timewarpCommand(clock, (more) => void commands.push(...more)))
  expect(ask(commands, 'time/stop')).toBeUndefined()
  ask(commands, 'debug/enable-timewarp')
  expect(ask(commands, 'time/stop')).toBe('')
  let ticks = 0
  const tick = () => {
    ticks++
    clock.after(1000, tick)
  }
  clock.after(1000, tick)
  expect(ask(commands, 'time/warp', '2500')).toBe('warped')
  expect([ticks, clock.monotonic()]).toEqual([2, 2500])
  for (const wrong of [['0'], ['x'], ['5', '0'], ['-1']]) {
    expect(ask(commands, 'time/warp', ...wrong)).toBe('error: invalid MSECS')
  }
  const seen: string[] = []
  commands
    .find((c) => c.name === 'time/warp')
    ?.run(['5000', '1500'], { ok: (text) => void seen.push(text), error: () => {} })
  expect(seen).toEqual([])
  below.settle()
  expect([seen, ticks, clock.monotonic()]).toEqual([['warped'], 7, 7500])
})

it('shows stopwatches by name', () => {
  const commands = stopwatchCommands([new Stopwatch('a'), new Stopwatch('b')])
  expect(ask(commands, 'stopwatch/show')).toMatch(/^Statistics for 'a'\n(.*\n)*Statistics for 'b'\n/)
  expect(ask(commands, 'stopwatch/show', 'b')).toMatch(/^Statistics for 'b'/)
  expect(ask(commands, 'stopwatch/show', 'c')).toBe('error: No such stopwatch')
  expect(ask(commands, 'stopwatch/reset', 'c')).toBe('')
})

it('says what took longer than it may', () => {
  const { log, lines } = keptLog()
  const watch = new Stopwatch('ovn-northd-loop')
  const commands = [computeLogTimeout(watch, log)]
  watch.sample(400)
  expect(ask(commands, 'inc-engine/compute-log-timeout', '300')).toBe('')
  expect(ask(commands, 'inc-engine/compute-log-timeout', 'x')).toBe('error: unsigned integer required')
  watch.sample(400)
  expect(lines.map((l) => `${l.module}|${l.level}|${l.message}`)).toEqual([
    'inc_proc_eng|info|ovn-northd-loop took 400ms',
  ])
})

it('prints memory/show in order, and says what is not built or not ready', () => {
  expect(ask([memoryCommand(() => ({ rules: 3, cells: 2 }))], 'memory/show')).toBe('cells:2 rules:3\n')
  expect(ask(notBuilt(SWITCH_NOT_BUILT), 'dpif/offload/show')).toBe(
    'error: "dpif/offload/show" is not built yet in ovn-ts: see docs/COMPATIBILITY.md',
  )
  expect(ask(notReady(CONTROLLER_COMMANDS), 'ct-zone-list')).toBe('error: ovn-controller not ready.')
})
