/** Runs functions in an asynchronous context that is nobody's. */
export type OwnContext = <T>(work: () => T) => T;

interface AsyncHooks {
  readonly AsyncLocalStorage: { snapshot?(): OwnContext };
}

/**
 * Runs what several callers share, a loop, a timer, the handlers of a queue, in the asynchronous context in which this module was
 * loaded, so that nothing of it runs in the context of the request that happened to start it (`AsyncLocalStorage`: its
 * tenant, its trace). Where the runtime has no such contexts the function is just called.
 */
export const inOwnContext: OwnContext = /* @__PURE__ */ makeOwnContext();

function makeOwnContext(): OwnContext {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const hooks = process?.getBuiltinModule?.('node:async_hooks') as AsyncHooks | undefined;
  return hooks?.AsyncLocalStorage.snapshot?.() ?? ((work) => work());
}
