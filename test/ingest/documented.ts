/**
 * Whether what the ingress says is what its served documents say it says.
 *
 * Stricter than a client would be: an object of an answer has no member that its schema does not
 * name, so that nothing can be said that is not documented. What the HTTP parser in front answers
 * to bytes that are no HTTP is outside of the documents: `isOfParser`.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';

type Node = Readonly<Record<string, unknown>>;

export interface Heard {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What is undocumented about an answer to `method` of `path`; undefined when nothing is. */
export type AnswerCheck = (method: string, path: string, heard: Heard) => string | undefined;
/** What is undocumented about a message called `name`; undefined when nothing is. */
export type MessageCheck = (
  name: 'Event' | 'Hello' | 'Acknowledgement',
  message: unknown,
) => string | undefined;

/** The parser's own answers: their bodies are HTML, and the connection ends. */
export function isOfParser({ status, headers }: Heard): boolean {
  return (
    [400, 413, 414, 431, 505].includes(status) &&
    headers['content-type'] === undefined &&
    headers['connection'] === 'close'
  );
}

export function answerCheck(openapi: string): AnswerCheck {
  const { paths, components } = JSON.parse(openapi) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Node>>>>;
    readonly components: Node;
  };
  const check = schemaCheck({ components });
  const patterns = Object.keys(paths).map((path) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));
  const refused: Node = { $ref: '#/components/schemas/Refused' };

  return (method, target, heard) => {
    const { status, headers, body } = heard;
    const pathname = target.split('?', 1)[0] ?? '';
    const isHead = method === 'HEAD';
    if ((status === 204 || isHead) && body.length > 0)
      return `${method} ${status} has a body of ${body.length} bytes`;
    if (method === 'OPTIONS' && status === 204) return undefined;
    // A path that is written out has precedence over one with a parameter (OpenAPI, Paths Object).
    const found =
      patterns.find(({ path }) => path === pathname) ??
      patterns.find(({ pattern }) => pattern.test(pathname));
    const operation =
      found === undefined
        ? undefined
        : (paths[found.path]?.[method.toLowerCase()] as Node | undefined);
    const responses = operation?.['responses'] as Readonly<Record<string, Node>> | undefined;
    const response = responses?.[String(status)];
    if (response === undefined) {
      const expected = found === undefined ? 404 : 405;
      if (status !== expected || operation !== undefined)
        return `${method} ${target}: status ${status} is not documented`;
      if (status === 405 && headers['allow'] === undefined) return '405 without Allow';
      return isHead ? undefined : jsonProblem(body, (value) => check(refused, value));
    }
    return (
      headersProblem(response, heard, check) ??
      (isHead ? undefined : contentProblem(response, heard, check))
    );
  };
}

export function messageCheck(asyncapi: string): MessageCheck {
  const { components } = JSON.parse(asyncapi) as { readonly components: Node };
  const check = schemaCheck({ components });
  return (name, message) => check({ $ref: `#/components/schemas/${name}` }, message);
}

type Check = (schema: Node, value: unknown) => string | undefined;

function contentProblem(
  response: Node,
  { headers, body }: Heard,
  check: Check,
): string | undefined {
  const content = response['content'] as Readonly<Record<string, Node>> | undefined;
  const type = headers['content-type'] ?? '';
  const media = type.split(';', 1)[0] ?? '';
  const found = content?.[media];
  if (found === undefined) return `the content type '${type}' is not documented`;
  if (media === 'application/json')
    return jsonProblem(body, (value) => check((found['schema'] ?? {}) as Node, value));
  if (media !== 'application/x-ndjson') return undefined;
  const lines = body.toString('utf8').split('\n');
  if (lines.pop() !== '') return 'the last line does not end';
  for (const [index, line] of lines.entries()) {
    const name = index === lines.length - 1 ? 'Verdict' : 'Result';
    const problem = jsonProblem(Buffer.from(line), (value) =>
      check({ $ref: `#/components/schemas/${name}` }, value),
    );
    if (problem !== undefined) return `line ${index}: ${problem}`;
  }
  return undefined;
}

function headersProblem(response: Node, { headers }: Heard, check: Check): string | undefined {
  const documented = (response['headers'] ?? {}) as Readonly<Record<string, Node>>;
  for (const [name, header] of Object.entries(documented)) {
    const text = headers[name.toLowerCase()];
    if (text === undefined) {
      if (header['required'] === true) return `the header ${name} is missing`;
      continue;
    }
    const schema = header['schema'] as Node;
    const problem = check(schema, schema['type'] === 'integer' ? Number(text) : text);
    if (problem !== undefined) return `header ${name}: ${problem}`;
  }
  return undefined;
}

function jsonProblem(
  body: Buffer,
  then: (value: unknown) => string | undefined,
): string | undefined {
  const text = body.toString('utf8');
  if (!Buffer.from(text).equals(body)) return 'the answer is not UTF-8';
  try {
    const problem = then(JSON.parse(text));
    return problem === undefined ? undefined : `${problem} in ${text.slice(0, 500)}`;
  } catch (thrown) {
    return `the answer is not JSON (${String(thrown)}): ${text.slice(0, 200)}`;
  }
}

/** Checks against schemas whose references lead into `document`. */
function schemaCheck(document: Node): Check {
  // `validateFormats` is what makes `date-time` mean something; unknown keywords are OpenAPI's own.
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  ajvFormats.default(ajv);
  ajv.addSchema(closed({ $id: 'document', ...document }) as Node);
  const compiled = new Map<string, ReturnType<typeof ajv.compile>>();
  return (schema, value) => {
    const key = JSON.stringify(schema);
    let validate = compiled.get(key);
    if (validate === undefined) compiled.set(key, (validate = ajv.compile(closed(schema) as Node)));
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };
}

/**
 * The same schema, with objects that have no members but those it names, and absolute references.
 */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(node)) {
    copy[name] =
      name === '$ref' && typeof value === 'string'
        ? value.replace(/^#/, 'document#')
        : closed(value);
  }
  const isObject = copy['type'] === 'object' && copy['properties'] !== undefined;
  if (
    isObject &&
    copy['additionalProperties'] === undefined &&
    copy['patternProperties'] === undefined
  )
    copy['additionalProperties'] = false;
  return copy;
}
