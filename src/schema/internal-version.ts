/**
 * What northd writes into SB_Global.options:northd_internal_version, and ovn-controller compares with its own where
 * ovn-match-northd-version is set: the same number for all programs of a release.
 */
export const INTERNAL_VERSION = '26.03.1-21.8.0-82.14'
