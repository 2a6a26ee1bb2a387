export {
  createFile,
  FileStorage,
  type FileStorageOptions,
  type OpenedFile,
  openFile,
  writeFile,
} from './file-storage.ts'
export { bytesFile, type FileSystem, type LogFile } from './files.ts'
export { encodeRecord, type LogProblem, type LogRecord, logKind, readRecord } from './log.ts'
export { loadTransaction, writeEverything } from './record.ts'
export { MemoryStorage, type Storage } from './storage.ts'
