/**
 * Roles that have what they need and no more: each right is a list of actions on a list of
 * resources, in the role itself, so that nothing starts with a role whose policy comes later.
 *
 * Invariant: a resource with a wildcard is one below a name (objects below a prefix, topics of a
 * cluster); the check of wildcards accepts those one by one, and refuses a bare `*`.
 */
import { Stack, Validations } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

export interface Right {
  readonly sid: string;
  readonly actions: readonly string[];
  readonly on: readonly string[];
}

export interface RoleOf {
  readonly roleName?: string;
  readonly managedPolicies?: iam.IManagedPolicy[];
  readonly assumedBy: iam.IPrincipal;
  readonly rights: readonly Right[];
  readonly description?: string;
}

export function roleOf(scope: Construct, id: string, { rights, ...props }: RoleOf): iam.Role {
  const statements = rights.map(
    ({ sid, actions, on }) =>
      new iam.PolicyStatement({ sid, actions: [...actions], resources: [...on] }),
  );
  const role = new iam.Role(scope, id, {
    ...props,
    inlinePolicies: { Rights: new iam.PolicyDocument({ statements }) },
  });
  for (const arn of new Set(rights.flatMap(({ on }) => on))) acceptBelow(role, arn);
  return role;
}

/** Accepts a resource of a role or policy that is below a name. */
export function acceptBelow(holder: Construct, arn: string): void {
  const text = textOf(Stack.of(holder).resolve(arn));
  if (!text.includes('*') || text === '*') return;
  Validations.of(holder).acknowledge({
    id: `AwsSolutions::AwsSolutions-IAM5[Resource::${text}]`,
    reason: 'Names below this one are made at run time: objects, consumers, topics and groups.',
  });
}

/** An ARN as the check writes it: `arn:<AWS::Partition>:s3:::events/lake/*`. */
function textOf(resolved: unknown): string {
  if (typeof resolved === 'string') return resolved;
  const [[name, value] = ['', '']] = Object.entries(resolved as Readonly<Record<string, unknown>>);
  switch (name) {
    case 'Ref':
      return `<${String(value)}>`;
    case 'Fn::GetAtt':
      return `<${(value as readonly string[]).join('.')}>`;
    case 'Fn::Join': {
      const [separator, parts] = value as readonly [string, readonly unknown[]];
      return Array.isArray(parts) ? parts.map(textOf).join(separator) : JSON.stringify(resolved);
    }
    default:
      return JSON.stringify(resolved);
  }
}
