/**
 * Elements are kept for the test driver to read.
 */
import type { SinkKind } from './sink-kind.ts';

export interface CollectDefinition {
  readonly kind: 'collect';
}

export const collectKind: SinkKind<CollectDefinition> = { kind: 'collect' };
