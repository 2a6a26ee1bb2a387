import { appctl } from './_appctl.ts'

await appctl({
  name: 'ovn-appctl',
  family: 'ovn',
  defaultTarget: 'ovn-controller',
  version: 'ovn-appctl 26.03.1\nOpen vSwitch Library 3.7.1',
  about: 'asks and commands a daemon of OVN by its control socket',
})
