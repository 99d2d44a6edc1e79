/**
 * Checks the data of events against schemas: what they refuse is rejected.
 */
import type { SluiceEvent } from '../../../schemas/event.ts';
import type { SchemaUnion } from '../../../schemas/registry.ts';
import { compileSchema, selectSchema } from '../../../schemas/registry.ts';
import { repeatedNames } from '../../nodes/names.ts';
import type { NodeBase, SchemaChoice } from '../../nodes/node.ts';
import { outPort } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import type { Made, StreamCall } from '../node-builder.ts';
import type { NodeParts, SchemasCheck } from '../node-parts.ts';
import type { Link, StepRejection } from '../stateless.ts';

export interface ValidateNode extends NodeBase {
  readonly kind: 'validate';
  /** One schema for all events, or several told apart by the event's type and dataschema. */
  readonly schemas: readonly SchemaChoice[];
}

export const validateKind: Kind<ValidateNode> = {
  name: 'validate',
  docs: {
    call: 'validate(id, schema) or validate(id, oneOf(schema, ...))',
    summary:
      "Checks an event's data against a JSON Schema. Of several schemas the one with the event's type and dataschema counts.",
    outputs:
      'One stream of the events that fit, with the type of the schema. Others are rejected as `schema-violation` or `schema-unknown`.',
    state: 'None.',
    example: `
import { schemaOf, stream, type TopologyBuilder } from 'sluice';

const click = schemaOf<{ user: string }>({
  $id: 'click',
  type: 'object',
  required: ['user'],
  properties: { user: { type: 'string' } },
});
export const users = (t: TopologyBuilder) =>
  t
    .source('clicks', stream('shop/clicks'))
    .validate('valid', click)
    .map((event) => event.data.user);
`,
  },
  build: buildValidate,
  summary: ({ schemas }) => `validate ${schemas.map(({ id }) => id).join(', ')}`,
  schemas: ({ schemas }) => schemas.map(({ document }) => document),
  problems: ({ schemas }) =>
    schemas.length === 0
      ? [{ message: 'it has no schema', fix: 'give it a schema, or oneOf() of several' }]
      : [],
  nameProblems: ({ schemas }) =>
    repeatedNames(
      'schemas',
      schemas.map(({ id }) => id),
    ),
  link: (node, parts) => validateLink(node, parts),
};

function buildValidate({ builder, from, given }: StreamCall): Made {
  const [id, schema] = given as readonly [string, SchemaChoice | SchemaUnion<unknown> | null];
  const isUnion = typeof schema === 'object' && schema !== null && 'schemas' in schema;
  const schemas = (isUnion ? schema.schemas : [schema as SchemaChoice]).map((choice) =>
    builder.schema(id, choice),
  );
  const node = { id, kind: 'validate', inputs: [from], outputs: [outPort], schemas } as const;
  builder.add(node satisfies ValidateNode);
  return { id };
}

function validateLink(node: ValidateNode, { watched, counts, reject }: NodeParts): Link {
  const check = watched(checkOf(node));
  const { id } = node;
  return (next) => (value, timestamp, origin) => {
    counts.in++;
    const rejection = check(value);
    if (rejection === undefined) {
      counts.passed++;
      next(value, timestamp, origin);
      return;
    }
    counts.rejected++;
    const { code, message, pointer, schema } = rejection;
    reject({ node: id, code, message, pointer, schema, value, origin });
  };
}

/** Why a validate node refuses an event; undefined when it takes it. */
export function checkOf(node: ValidateNode): SchemasCheck {
  const checks = new Map(node.schemas.map((schema) => [schema.id, compileSchema(schema.document)]));
  const rejection = (event: SluiceEvent, id: string): StepRejection | undefined => {
    const violation = checks.get(id)?.(event.data);
    return violation === undefined ? undefined : { ...violation, code: 'schema-violation' };
  };
  const [only, ...others] = node.schemas;
  if (only !== undefined && others.length === 0) {
    const check = compileSchema(only.document);
    return (value) => {
      const violation = check((value as SluiceEvent).data);
      return violation === undefined ? undefined : { ...violation, code: 'schema-violation' };
    };
  }
  return (value) => {
    const event = value as SluiceEvent;
    const chosen = selectSchema(node, event);
    if (chosen !== undefined) return rejection(event, chosen.id);
    const known = node.schemas.map((schema) => schema.id).join(', ');
    const message = `no schema is for type '${event.type}' and dataschema '${event.dataschema ?? ''}'; known: ${known}`;
    return { code: 'schema-unknown', message, pointer: null, schema: known };
  };
}
