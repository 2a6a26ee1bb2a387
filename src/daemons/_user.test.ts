import { expect, it } from 'vitest'
import { parseUser } from './_user.ts'

const DATABASES = {
  passwd: [
    ['root', 'x', '0', '0'],
    ['openvswitch', 'x', '990', '991'],
    ['me', 'x', String(process.getuid?.() ?? 0), '5'],
  ],
  group: [
    ['openvswitch', 'x', '991', ''],
    ['hugetlbfs', 'x', '970', 'qemu,openvswitch'],
    ['wheel', 'x', '10', 'qemu'],
  ],
}
const lookup = (database: 'passwd' | 'group', key: string) =>
  DATABASES[database].find(([name, , id]) => name === key || id === key)

it.each([
  ['openvswitch', 'openvswitch 990 991'],
  ['openvswitch:', 'openvswitch 990 991'],
  ['990', 'openvswitch 990 991'],
  ['openvswitch:openvswitch', 'openvswitch 990 991'],
  ['openvswitch:hugetlbfs', 'openvswitch 990 970'],
  ['openvswitch:wheel', 'Invalid --user option openvswitch:wheel (user openvswitch is not in group wheel), aborting.'],
  ['nobody', 'user nobody not found, aborting.'],
  ['openvswitch:nogroup', 'group nogroup not found, aborting.'],
])('reads --user=%s', (text, want) => {
  const r = parseUser(text, lookup)
  expect(r.ok ? `${r.value.name} ${r.value.uid} ${r.value.gid}` : r.error).toBe(want)
})

it.each(['', ':'])('takes the user and group of now for %j', (text) => {
  const r = parseUser(text, lookup)
  expect(r.ok && [r.value.uid, r.value.gid]).toEqual([process.getuid?.(), process.getgid?.()])
})
