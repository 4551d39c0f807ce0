/** Does `work` at most so often, but again at once where it says that there is more to do. */
export function nowAndThen(everyMs: number, work: () => Promise<boolean>): () => Promise<void> {
  let dueMs = 0;
  return async () => {
    if (performance.now() < dueMs) return;
    dueMs = (await work()) ? 0 : performance.now() + everyMs;
  };
}
