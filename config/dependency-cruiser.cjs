const core = '^src/([^/]+|(events|hmac|report|retry|run|shared)/.+)\\.ts$';
const rings = 'adapters|engines|client|otel|testing|cli|inspector';
const defaultStore = '^src/engines/memory/(store|rows|row|finished|versions)\\.ts$';
const outside = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'npm-bundled'];
const erased = ['type-only', 'type-import'];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle, of types too, means that two files are one idea.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'src-stays-in-src',
      comment: 'What ships knows nothing of tests, examples, benches and scripts.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(?!src/|node_modules/)', dependencyTypes: ['local', 'aliased'] },
    },
    {
      name: 'no-dev-dependency',
      comment: 'A devDependency is not there for an integrator. Inlined at build time: @noble/hashes and the CLI.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(hmac/portable\\.ts$|cli/)' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: [...erased, 'npm-peer', 'npm-optional', 'npm'] },
    },
    {
      name: 'core-needs-only-zod',
      comment: 'The core runs where there are no packages but zod.',
      severity: 'error',
      from: { path: core, pathNot: '^src/hmac/portable\\.ts$' },
      to: { dependencyTypes: outside, pathNot: '^node_modules/zod/' },
    },
    {
      name: 'portable-needs-only-noble',
      severity: 'error',
      from: { path: '^src/hmac/portable\\.ts$' },
      to: { dependencyTypes: outside, pathNot: '^node_modules/@noble/hashes/' },
    },
    {
      name: 'core-has-no-builtins',
      comment:
        'Edge runtimes have no node:* modules. Only the #hmac for Node may import them; types vanish, getBuiltinModule may find none.',
      severity: 'error',
      from: { path: core, pathNot: '^src/hmac/node\\.ts$' },
      to: { dependencyTypes: ['core'], dependencyTypesNot: [...erased, 'process-get-builtin-module'] },
    },
    {
      name: 'web-files-have-no-builtins',
      comment: 'These run on edge runtimes or in Workers too.',
      severity: 'error',
      from: { path: '^src/(adapters/(fetch|hono|next|read-[^/]+)\\.ts$|client/|engines/memory/)' },
      to: { dependencyTypes: ['core'], dependencyTypesNot: [...erased, 'process-get-builtin-module'] },
    },
    {
      name: 'hmac-by-condition',
      comment: 'Through #hmac each runtime takes its own build; a path would pin one of them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/hmac/' },
      to: { path: '^src/hmac/(node|native|portable|workerd)\\.ts$', dependencyTypesNot: ['aliased', ...erased] },
    },
    {
      name: 'core-imports-no-ring',
      severity: 'error',
      from: { path: core, pathNot: '^src/(assemble|index)\\.ts$' },
      to: { path: `^src/(${rings})/` },
    },
    {
      name: 'default-store-only',
      comment: 'The one step outwards: the default store, which a handler is made with and the index exports.',
      severity: 'error',
      from: { path: '^src/(assemble|index)\\.ts$' },
      to: { path: `^src/(${rings})/`, pathNot: defaultStore },
    },
    {
      name: 'rings-use-the-index',
      comment: 'The default store is part of the core’s own graph: through the index it would be a cycle.',
      severity: 'error',
      from: { path: '^src/(adapters|engines|client|otel|cli|inspector)/', pathNot: defaultStore },
      to: { path: core, pathNot: '^src/(index\\.ts$|shared/)' },
    },
    {
      name: 'shared-stands-alone',
      comment: 'Rings use it too, beside the index: it may bring nothing along.',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^(src/(?!shared/)|#hmac)' },
    },
    {
      name: 'rings-stay-apart',
      severity: 'error',
      from: { path: '^src/(adapters|engines|client|otel|inspector)/' },
      to: { path: `^src/(${rings})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'adapters-stay-apart',
      comment: 'They share only the readers.',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+)\\.ts$' },
      to: { path: '^src/adapters/', pathNot: '^src/adapters/(read-[^/]+|$1)\\.ts$' },
    },
    {
      name: 'engines-stay-apart',
      comment:
        'A folder is a subpath; what engines have in common is in shared. A queue knows the store that it stands on.',
      severity: 'error',
      from: { path: '^src/engines/([^/]+)/', pathNot: '^src/engines/pg-boss/' },
      to: { path: '^src/engines/', pathNot: '^src/engines/(shared|$1)/' },
    },
    {
      name: 'pg-boss-stands-on-postgres',
      severity: 'error',
      from: { path: '^src/engines/pg-boss/' },
      to: { path: '^src/engines/', pathNot: '^src/engines/(shared|postgres|pg-boss)/' },
    },
    {
      name: 'testing-to-memory-only',
      comment: 'Testing may reach into the core, and offers the engines in memory.',
      severity: 'error',
      from: { path: '^src/testing/' },
      to: { path: `^src/(${rings})/`, pathNot: '^src/(testing|engines/memory)/' },
    },
    {
      name: 'cli-uses-what-it-commands',
      comment: 'The testing kit, the inspector, the client, and the stores that it opens.',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: {
        path: `^src/(${rings})/`,
        pathNot: '^src/((cli|testing|inspector|client)/|engines/[^/]+/(index|driver)\\.ts$)',
      },
    },
    {
      name: 'frameworks-and-drivers-as-types',
      comment:
        'They are passed in by the caller, so no adapter or engine loads its own copy; BullMQ is what bullmqQueue makes workers of.',
      severity: 'error',
      from: { path: '^src/(adapters|engines)/', pathNot: '^src/engines/bullmq/library\\.ts$' },
      to: {
        dependencyTypes: outside,
        dependencyTypesNot: erased,
        pathNot: '^node_modules/zod/',
        dynamic: false,
      },
    },
    {
      name: 'drivers-on-demand',
      comment: 'Only sqliteStore opens a driver by itself, when it is given a path instead of a database.',
      severity: 'error',
      from: { path: '^src/(adapters|engines)/', pathNot: '^src/engines/sqlite/driver\\.ts$' },
      to: { dependencyTypes: outside, dependencyTypesNot: erased, dynamic: true },
    },
  ],
  options: {
    doNotFollow: { path: '^node_modules/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
