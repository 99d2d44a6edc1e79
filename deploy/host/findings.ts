/**
 * Findings as a person reads them: where, what is wrong, what to do.
 */
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Finding } from './worker-protocol.ts';

/** `file` stands where a finding has no place of its own. */
export function findingText({ place, node, message, fix }: Finding, file: string): string {
  const where = place === null ? file : `${place.file}:${place.line}:${place.column}`;
  return `${where}: ${node === null ? '' : `${node}: `}${message}\n  ${fix}`;
}

const shownMax = 20;

/**
 * Throws `SluiceError` `types`, `topology-load`, `restore-refused` or `topology-invalid` with all
 * findings, when there are any.
 */
export function requireNone(findings: readonly Finding[], file: string): void {
  const [first] = findings;
  if (first === undefined) return;
  const lines = findings.slice(0, shownMax).map((finding) => findingText(finding, file));
  if (findings.length > shownMax)
    lines.push(`and ${findings.length - shownMax} more: see \`sluice topology check ${file}\``);
  throw new SluiceError(codeOf(first, findings), lines.join('\n'));
}

function codeOf({ kind }: Finding, findings: readonly Finding[]): OperationalCode {
  if (kind === 'types') return 'types';
  if (kind === 'load') return 'topology-load';
  return findings.every((finding) => finding.kind === 'state')
    ? 'restore-refused'
    : 'topology-invalid';
}
