// What goes wrong, in one shape: the server's problem details (RFC 9457), or that there was no server.

export interface ProblemFacts {
  status: number;
  code: string;
  title: string;
  detail: string;
  traceId?: string;
  pointer?: string;
  errors?: readonly Fault[];
}

/** One of several things that are wrong with a request. */
export interface Fault {
  code: string;
  detail: string;
  pointer: string;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly traceId: string | undefined;
  readonly pointer: string | undefined;
  /** Empty where nothing is wrong but what the problem itself says. */
  readonly errors: readonly Fault[];

  constructor(facts: ProblemFacts) {
    super(`${facts.status} ${facts.code}: ${facts.detail}`);
    this.status = facts.status;
    this.code = facts.code;
    this.title = facts.title;
    this.detail = facts.detail;
    this.traceId = facts.traceId;
    this.pointer = facts.pointer;
    this.errors = facts.errors ?? [];
  }
}

/** No answer at all: the request may or may not have arrived. */
export const OFFLINE = 'offline';

export function offline(): ApiProblem {
  return new ApiProblem({ status: 0, code: OFFLINE, title: '', detail: '' });
}

/** The problem that an answer's body tells of; a proxy's HTML page and the like become one too. */
export function problemFrom(status: number, body: unknown): ApiProblem {
  const facts: Record<string, unknown> = typeof body === 'object' && body !== null ? { ...body } : {};
  const text = (name: string): string | undefined => {
    const value = facts[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const traceId = text('trace_id');
  const pointer = text('pointer');
  return new ApiProblem({
    status,
    code: text('code') ?? `http_${status}`,
    title: text('title') ?? `HTTP ${status}`,
    detail: text('detail') ?? '',
    ...(traceId === undefined ? {} : { traceId }),
    ...(pointer === undefined ? {} : { pointer }),
    errors: Array.isArray(facts['errors']) ? facts['errors'].flatMap(fault) : [],
  });
}

function fault(one: unknown): Fault[] {
  if (typeof one !== 'object' || one === null) return [];
  const { code, detail, pointer } = one as Record<string, unknown>;
  return [{ code: String(code ?? ''), detail: String(detail ?? ''), pointer: String(pointer ?? '') }];
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem({ status: 0, code: 'unexpected', title: '', detail });
}
