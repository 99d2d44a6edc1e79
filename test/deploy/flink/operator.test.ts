/**
 * The example for Flink's Kubernetes operator in the docs fits the schema of the operator: no field
 * that it does not have, no value of another type.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { root } from '../../repo/support.ts';
import { cached } from '../../servers/cache.ts';
import { javaMissing } from '../../servers/jars.ts';

const run = promisify(execFile);
const version = '1.10.0';
const schemaFile = 'META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml';

interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
}

/** Of a FlinkDeployment, as the API server is given it. */
async function deploymentSchema(): Promise<Schema> {
  const dir = await cached(`flink-operator-${version}`, async (made) => {
    const artifact = `org.apache.flink:flink-kubernetes-operator-api:${version}`;
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
    const where = [`-Dartifact=${artifact}`, `-DoutputDirectory=${made}`];
    await run('mvn', ['-q', '-B', copy, ...where], { cwd: made });
    const jar = join(made, `flink-kubernetes-operator-api-${version}.jar`);
    await run('jar', ['--extract', '--file', jar, schemaFile], { cwd: made });
  });
  const definition = parse(readFileSync(join(dir, schemaFile), 'utf8')) as {
    readonly spec: {
      readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: Schema } }];
    };
  };
  return definition.spec.versions[0].schema.openAPIV3Schema;
}

/** What of a value its schema does not have. */
function misfits(schema: Schema, value: unknown, at: string): readonly string[] {
  if (schema.enum !== undefined && !schema.enum.includes(value)) return [`${at}: ${String(value)}`];
  if (Array.isArray(value))
    return value.flatMap((one, index) => misfits(schema.items ?? {}, one, `${at}/${index}`));
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, part]) => {
      const known = schema.properties?.[name] ?? schema.additionalProperties;
      return known === undefined ? [`${at}/${name}`] : misfits(known, part, `${at}/${name}`);
    });
  const types: Readonly<Record<string, string>> = { integer: 'number' };
  const expected = types[schema.type ?? ''] ?? schema.type;
  return expected === typeof value ? [] : [`${at}: a ${typeof value}, not ${schema.type}`];
}

describe.skipIf(javaMissing() !== undefined)('the example for the operator', () => {
  it('fits its schema, which knows what does not', { timeout: 120_000 }, async () => {
    const schema = await deploymentSchema();
    const page = readFileSync(join(root, 'docs/operating/flink.md'), 'utf8');
    const [, text = ''] = /^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
    const { kind, spec } = parse(text) as { readonly kind: string; readonly spec: object };
    const found = (changed: object): readonly string[] =>
      misfits(schema, { spec: { ...spec, ...changed } }, '');
    expect([kind, found({})]).toEqual(['FlinkDeployment', []]);
    expect(Object.keys(spec).length).toBeGreaterThan(6);
    expect(found({ flinkVersion: 'v1_2', jobs: {}, job: { parallelism: '2' } })).toEqual([
      '/spec/flinkVersion: v1_2',
      '/spec/job/parallelism: a string, not integer',
      '/spec/jobs',
    ]);
  });
});
