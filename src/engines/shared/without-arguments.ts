/** An error of ioredis without the command that it names, which carries the bytes of events into whatever log it is told to. */
export function withoutArguments(error: unknown): unknown {
  if (typeof error === 'object' && error !== null) Reflect.deleteProperty(error, 'command');
  return error;
}

/** Asks, and lets no error out with the arguments of its command. */
export async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw withoutArguments(error);
  }
}
