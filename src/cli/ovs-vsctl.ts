import { vsctl } from '../ctl/vsctl/index.ts'
import { ctlMain } from './_ctl.ts'

ctlMain({
  program: vsctl,
  databaseVariable: undefined,
  defaultDatabase: () => `unix:${process.env['OVS_RUNDIR'] || '/var/run/openvswitch'}/db.sock`,
  optionsVariable: undefined,
  daemonVariable: undefined,
})
