/** How long functions are: from the line of their first token to that of their last. */
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import { isInTests, lineAt, nameOf, type Source, walk } from './sources.ts';

export interface MeasuredFunction {
  readonly name: string;
  readonly path: string;
  readonly line: number;
  readonly lines: number;
}

const kinds = new Set<SyntaxKind>([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

/** A function's own name, or that of the variable or property that it is given to. */
function nameOfFunction(node: Node): string {
  if (node.kind === SyntaxKind.Constructor) return 'constructor';
  const own = nameOf((node as Node & { readonly name?: Node }).name);
  if (own !== undefined) return own;
  const { parent } = node;
  const given =
    parent.kind === SyntaxKind.VariableDeclaration || parent.kind === SyntaxKind.PropertyAssignment
      ? nameOf((parent as Node & { readonly name?: Node }).name)
      : undefined;
  return given ?? 'a function without a name';
}

/** The functions of the product with more than `most` lines, longest first. */
export function functionsOver(most: number, sources: readonly Source[]): MeasuredFunction[] {
  const found: MeasuredFunction[] = [];
  for (const source of sources.filter((each) => !isInTests(each))) {
    walk(source.tree, (node) => {
      if (!kinds.has(node.kind)) return;
      const line = lineAt(source, node.getStart());
      const lines = lineAt(source, node.end) - line + 1;
      if (lines > most) found.push({ name: nameOfFunction(node), path: source.path, line, lines });
    });
  }
  return found.sort((a, b) => b.lines - a.lines || a.path.localeCompare(b.path, 'en'));
}
