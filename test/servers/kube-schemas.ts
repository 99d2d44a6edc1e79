/**
 * Objects of Kubernetes against its own schemas, strictly: a field that no schema has is a fault.
 * The schemas of many versions are in a Python package, which is installed at an exact version and
 * asks nobody.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pythonPackages } from './cache.ts';

const version = '1.37.0';
/** The newest version of Kubernetes that this one knows. */
export const newestKubernetes = '1.37';
const outputMaxBytes = 1 << 26;

/**
 * For each list of objects one of sentences. A kind that has no schema is a sentence, too, but
 * where `unknown` names it.
 */
const program = `
import json, sys
from kubernetes_validate.utils import validate, ValidationError, SchemaNotFoundError
asked = json.load(sys.stdin)
def faults(version, objects):
    for each in objects:
        title = "%s %s" % (each.get("kind"), each.get("metadata", {}).get("name"))
        try:
            validate(each, version, strict=True)
            if each.get("kind") in asked["unknown"]:
                yield "%s: has a schema in %s" % (title, version)
        except ValidationError as wrong:
            yield "%s at %s: %s" % (title, ".".join(map(str, wrong.path)), wrong.message)
        except SchemaNotFoundError:
            if each.get("kind") not in asked["unknown"]:
                yield "%s: no schema in %s" % (title, version)
json.dump([list(faults(*each)) for each in asked["lists"]], sys.stdout)
`;

/** Objects, and the version they are for, such as `1.29`. */
export type Versioned = readonly [version: string, objects: readonly object[]];

/** Faults of each list, as sentences; `unknown` are kinds that Kubernetes itself does not have. */
export async function validateObjects(
  lists: readonly Versioned[],
  unknown: readonly string[],
): Promise<readonly (readonly string[])[]> {
  const bin = await pythonPackages(`kubernetes-validate==${version}`);
  return new Promise((resolve, reject) => {
    const child = execFile(
      join(bin, 'python'),
      ['-c', program],
      { maxBuffer: outputMaxBytes },
      (failed, out, err) => {
        if (failed === null) resolve(JSON.parse(out) as string[][]);
        else reject(new Error(`kubernetes-validate: ${err}`, { cause: failed }));
      },
    );
    child.stdin?.end(JSON.stringify({ lists, unknown }));
  });
}
