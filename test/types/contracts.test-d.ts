import nodeTest from 'node:test';
import type { TestRunner } from '@pathfinder/webhooks/testing';
import { describe, expectTypeOf, it } from 'vitest';

// The contracts run under any test runner.
expectTypeOf({ describe, it }).toExtend<TestRunner>();
expectTypeOf(nodeTest).toExtend<TestRunner>();
