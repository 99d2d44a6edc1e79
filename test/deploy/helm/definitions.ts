/**
 * Definitions of the kinds that come with operators. Those of Prometheus are as its operator
 * publishes them. AWS publishes none for `TargetGroupBinding` of EKS Auto Mode, and its controller's
 * module is not one that Go fetches by version, so this one is ours, by its documentation
 * (https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/spec).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { goModule } from '../../servers/go.ts';
import type { Manifest } from './manifest.ts';

const module = 'github.com/prometheus-operator/prometheus-operator';
const version = 'v0.85.0';

export async function definitionsOfOperators(): Promise<readonly Manifest[]> {
  const folder = join(await goModule(module, version), 'example', 'prometheus-operator-crd');
  const ofPrometheus = ['servicemonitors', 'podmonitors', 'prometheusrules'].map(
    (name) =>
      parse(readFileSync(join(folder, `monitoring.coreos.com_${name}.yaml`), 'utf8')) as Manifest,
  );
  return [
    ...ofPrometheus,
    targetGroupBinding('eks.amazonaws.com', 'v1'),
    targetGroupBinding('elbv2.k8s.aws', 'v1beta1'),
  ];
}

function targetGroupBinding(group: string, name: string): Manifest {
  const text = { type: 'string' };
  const port = { 'x-kubernetes-int-or-string': true };
  const serviceRef = {
    type: 'object',
    required: ['name', 'port'],
    properties: { name: text, port },
  };
  const spec = {
    type: 'object',
    required: ['serviceRef', 'targetGroupARN'],
    properties: {
      serviceRef,
      targetGroupARN: { ...text, pattern: '^arn:aws[a-z-]*:elasticloadbalancing:.*:targetgroup/' },
      targetType: { ...text, enum: ['instance', 'ip'] },
      ipAddressType: { ...text, enum: ['ipv4', 'ipv6'] },
      vpcID: text,
    },
  };
  const schema = { openAPIV3Schema: { type: 'object', required: ['spec'], properties: { spec } } };
  const names = { kind: 'TargetGroupBinding', plural: 'targetgroupbindings' };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${group}` },
    spec: {
      group,
      names,
      scope: 'Namespaced',
      versions: [{ name, served: true, storage: true, schema }],
    },
  };
  return definition as Manifest;
}
