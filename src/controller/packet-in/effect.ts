import type { Ipv4 } from '../../address/ipv4.ts'
import type { Ipv6 } from '../../address/ipv6.ts'
import type { Mac } from '../../address/mac.ts'
import type { Level } from '../../base/log.ts'
import type { Match } from '../../openflow/fields/field.ts'
import type { Continuation, PacketOut, Resume } from '../../openflow/messages/message.ts'

/** An address of either family, told apart by its type: IPv4 is a number, IPv6 a bigint. */
export type Ip = Ipv4 | Ipv6

/** A packet that waits in the controller for the Ethernet address of its next hop. */
export interface Waiting {
  readonly packet: Uint8Array
  readonly metadata: Match
  readonly continuation: Continuation
  readonly reason: number
  readonly table: number
  readonly cookie: bigint
}

/** A membership report or query that a switch with multicast snooping saw. */
export interface MulticastReport {
  readonly group: Ip
  /** What the report says: `join` and `leave`, or a `query` (of a multicast router behind the port). */
  readonly change: 'join' | 'leave' | 'query'
  readonly protocol: 'IGMPv1' | 'IGMPv2' | 'IGMPv3' | 'MLDv1' | 'MLDv2'
}

/**
 * What a packet-in asks for. Handlers decide, whoever runs them does: messages go to the switch with
 * an xid of the connection, the rest becomes rows of the southbound database or log lines. Datapaths
 * and ports are tunnel keys.
 */
export type Effect =
  | { readonly type: 'send'; readonly message: Resume | PacketOut }
  | {
      readonly type: 'mac_binding'
      readonly datapath: number
      readonly port: number
      readonly ip: Ip
      readonly mac: Mac
    }
  | { readonly type: 'fdb'; readonly datapath: number; readonly port: number; readonly mac: Mac }
  /** The packet waits for the next hop's address; `resumeWaiting` sends it on. `port` is the output port. */
  | {
      readonly type: 'wait'
      readonly datapath: number
      readonly port: number
      readonly ip: Ip
      readonly waiting: Waiting
    }
  /** A virtual port was seen behind a parent. */
  | { readonly type: 'bind_vport'; readonly datapath: number; readonly vport: number; readonly parent: number }
  | {
      readonly type: 'event'
      readonly event: 'empty_lb_backends'
      readonly info: ReadonlyMap<string, string>
    }
  | {
      readonly type: 'multicast'
      readonly datapath: number
      readonly port: number
      readonly source: Ip
      readonly reports: readonly MulticastReport[]
      readonly packet: Uint8Array
    }
  /** A health check's answer, the packet as it came. */
  | { readonly type: 'service_check'; readonly datapath: number; readonly port: number; readonly packet: Uint8Array }
  /** A BFD control packet for a static route's session. */
  | { readonly type: 'bfd'; readonly datapath: number; readonly port: number; readonly packet: Uint8Array }
  /** A DHCPv6 server's answer to our request for a prefix. */
  | { readonly type: 'dhcpv6_reply'; readonly datapath: number; readonly port: number; readonly packet: Uint8Array }
  /** Traffic that activates a port being migrated here (options:activation-strategy). */
  | { readonly type: 'activate'; readonly datapath: number; readonly port: number }
  | { readonly type: 'log'; readonly module: 'pinctrl' | 'acl_log'; readonly level: Level; readonly message: string }

/** A DNS name with its values, as in the southbound DNS table. */
export interface DnsEntry {
  /** As in DNS.records: addresses, blank or comma separated, or names. */
  readonly value: string
  /** options:ovn-owned: no other server is to be asked for the name. */
  readonly owned: boolean
}

/** What handlers look up. Everything is of this moment; nothing is kept. */
export interface PacketInEnvironment {
  /** The records of a name (lower case) in a datapath. */
  dns(datapath: number, name: string): DnsEntry | undefined
}
