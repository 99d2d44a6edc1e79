/**
 * A place in a configuration as people read it: `streams[0].team`. Pure.
 */
import type { Segments } from './document.ts';

export function pathOf(segments: Segments): string {
  return segments
    .map((segment) => (typeof segment === 'number' ? `[${segment}]` : `.${segment}`))
    .join('')
    .replace(/^\./, '');
}
