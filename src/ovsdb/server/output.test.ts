import { expect, test } from 'vitest'
import { VirtualClock } from '../../base/clock.ts'
import type { ByteStream } from '../../base/stream.ts'
import { Output, producer } from './output.ts'

/** A stream of which the test says how much of it waits. */
function scripted() {
  let text = ''
  const stream = {
    queued: 0,
    write(bytes: Uint8Array) {
      text += Buffer.from(bytes).toString()
      return true
    },
    close() {},
    pause() {},
    resume() {},
    onData: undefined,
    onDrain: undefined as (() => void) | undefined,
    onClose: undefined,
    peer: 'test',
  } satisfies ByteStream
  return { stream, written: () => text }
}

test('nothing comes between the pieces of a message, not even what waits for all to be out', () => {
  const clock = new VirtualClock()
  const { stream, written } = scripted()
  const output = new Output(stream, clock)
  let missed = ['<missed>']
  output.onIdle = () => {
    for (const text of missed.splice(0)) output.text(text)
  }
  output.produce(producer(['a', 'b'].values()), '[', ']')
  clock.settle()
  expect(written()).toBe('[ab]<missed>')
  // A slow reader that has taken nearly all, but not said so.
  missed = ['<more>']
  stream.queued = 1 << 20
  output.produce(producer(['c'].values()), '[', ']')
  output.text('<reply>')
  stream.queued = 0
  stream.onDrain?.()
  clock.settle()
  expect(written()).toBe('[ab]<missed>[c]<reply><more>')
})
