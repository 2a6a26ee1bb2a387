import { expect, test } from 'vitest'
import { DiskSpeed } from './disk-speed.ts'

function synced(disk: DiskSpeed, times: number, ms: number, now: number): void {
  for (let i = 0; i < times; i++) disk.synced(ms, now)
}

test('a disk has to prove that it is fast', () => {
  const disk = new DiskSpeed()
  expect(disk.isFast(0)).toBe(false)
  synced(disk, 31, 0.2, 0)
  expect(disk.isFast(0)).toBe(false)
  synced(disk, 1, 0.2, 0)
  expect(disk.isFast(0)).toBe(true)
})

test('a disk that takes long on average is not fast', () => {
  const disk = new DiskSpeed()
  synced(disk, 1000, 1.5, 0)
  expect(disk.isFast(0)).toBe(false)
  synced(disk, 100, 0.2, 0)
  expect(disk.isFast(0)).toBe(true)
})

test('after a stall nobody waits for it for a minute, nor before it is proven again', () => {
  const disk = new DiskSpeed()
  synced(disk, 100, 0.2, 0)
  disk.synced(300, 1000)
  synced(disk, 1000, 0.2, 1000)
  expect(disk.isFast(60_999)).toBe(false)
  expect(disk.isFast(61_000)).toBe(true)
  disk.synced(25, 61_000)
  expect(disk.isFast(200_000)).toBe(false)
})
