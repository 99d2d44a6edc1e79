/**
 * Makes the constraints that a model's labels lack in Neo4j, by whatever reaches it.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { GraphModel } from '../../../topology/index.ts';
import type { SchemaRule } from './neo4j-constraints.ts';
import { decideConstraints, repeatsStatement } from './neo4j-constraints.ts';
import { constraintStatement } from './neo4j-dialect.ts';
import { codeOf } from './neo4j-fault.ts';

/** Its calls reject with the faults of neo4j-fault.ts, whose causes have Neo4j's own codes. */
export interface SchemaAccess {
  /** For messages. */
  readonly url: string;
  /** What is there: `showConstraints`, then `showIndexes`. */
  readonly rules: () => Promise<readonly SchemaRule[]>;
  readonly define: (statement: string) => Promise<void>;
}

/** Throws `SluiceError` `graph-constraint-blocked`. */
export async function makeConstraints(model: GraphModel, access: SchemaAccess): Promise<void> {
  if (!(await make(model, access))) await make(model, access);
}

/** Runs a statement that another writer may have run first. */
export async function defineOnce(run: () => Promise<unknown>): Promise<void> {
  await run().catch((thrown: unknown) => {
    if (schemaCodeOf(thrown) !== 'EquivalentSchemaRuleAlreadyExists') throw thrown;
  });
}

/** Whether all are there; not when one could not be made as something has its place by now. */
async function make(model: GraphModel, { url, rules, define }: SchemaAccess): Promise<boolean> {
  const decision = decideConstraints(model, await rules());
  if (decision.kind === 'blocked') {
    const { problems, blocked, statements } = decision;
    throw blockedBy(url, problems.join('; '), `run ${statements.join('; ')}`, {
      blocked,
      statements,
    });
  }
  for (const { label, key } of decision.missing) {
    try {
      await define(constraintStatement(label, key));
    } catch (thrown) {
      const code = schemaCodeOf(thrown);
      if (code.endsWith('AlreadyExists')) return false;
      if (code !== 'ConstraintCreationFailed') throw thrown;
      const problem = `'${label}' needs a unique constraint on '${key}', which nodes that are there do not fit: ${(thrown as Error).message}`;
      const question = repeatsStatement({ label, key });
      const fix = `correct or delete these nodes; ${question} finds those that have the same key`;
      throw blockedBy(url, problem, fix, { label, key, question }, thrown);
    }
  }
  return true;
}

function blockedBy(
  url: string,
  problem: string,
  fix: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): SluiceError {
  const message = `Neo4j at ${url}: ${problem}`;
  return new SluiceError('graph-constraint-blocked', message, { fix, details, cause });
}

/** The name of a code about the schema; empty for any other. */
function schemaCodeOf(thrown: unknown): string {
  return /^Neo\.\w+\.Schema\.(\w+)$/.exec(codeOf((thrown as SluiceError).cause))?.[1] ?? '';
}
