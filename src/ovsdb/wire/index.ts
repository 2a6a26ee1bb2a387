export { atomJson, datumJson, readDatum, writeAtom, writeDatum } from './datum.ts'
export {
  readColumns,
  readCondition,
  readRow,
  resultPieces,
  WireOperations,
  writeError,
  writeResults,
  writeRow,
} from './operation.ts'
