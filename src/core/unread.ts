/** Whether `error` of a write says that nobody reads any more: the reader has ended, or the terminal is gone. */
export function isUnread(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EPIPE' || error.code === 'EIO';
}
