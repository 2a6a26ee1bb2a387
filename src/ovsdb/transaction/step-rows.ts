/**
 * So many rows are looked at before work may be put aside: a millisecond or two. In a file of its own, so that tests
 * can make it one row.
 */
export const STEP_ROWS = 2048
