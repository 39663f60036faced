/**
 * Resolves and rejects as `work` does. When `deadline` aborts before that, or already has, `cut` is called, which must let
 * `work` end at once.
 */
export async function cutAt<T>(deadline: AbortSignal, cut: () => void, work: Promise<T>): Promise<T> {
  deadline.addEventListener('abort', cut, { once: true });
  if (deadline.aborted) cut();
  try {
    return await work;
  } finally {
    deadline.removeEventListener('abort', cut);
  }
}
