#!/usr/bin/env node
import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('@pathfinder/webhooks/package.json') as { version: string };

const usage = `pathfinder-webhooks ${version}

Usage: pathfinder-webhooks [option]

  -v, --version   print the version
  -h, --help      print this text
`;

const [argument] = process.argv.slice(2);
if (argument === '-v' || argument === '--version') {
  console.log(version);
} else if (argument === undefined || argument === '-h' || argument === '--help') {
  process.stdout.write(usage);
} else {
  process.stderr.write(`Unknown argument: ${argument}\n\n${usage}`);
  process.exitCode = 2;
}
