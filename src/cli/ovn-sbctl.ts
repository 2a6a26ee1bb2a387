import { sbctl } from '../ctl/sbctl/index.ts'
import { ctlMain } from './_ctl.ts'

ctlMain({
  program: sbctl,
  databaseVariable: 'OVN_SB_DB',
  defaultDatabase: () => `unix:${process.env['OVN_RUNDIR'] || '/var/run/ovn'}/ovnsb_db.sock`,
  optionsVariable: 'OVN_SBCTL_OPTIONS',
  daemonVariable: 'OVN_SB_DAEMON',
})
