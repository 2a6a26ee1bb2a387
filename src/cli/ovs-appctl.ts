import { appctl } from './_appctl.ts'

await appctl({
  name: 'ovs-appctl',
  family: 'ovs',
  defaultTarget: 'ovs-vswitchd',
  version: 'ovs-appctl (Open vSwitch) 4.0.0',
  about: 'asks and commands a daemon of Open vSwitch by its control socket',
})
