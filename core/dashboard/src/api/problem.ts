// What goes wrong, in one shape: the server's problem details (RFC 9457), or that there was no server.

export interface ProblemFacts {
  status: number;
  code: string;
  title: string;
  detail: string;
  traceId?: string;
  pointer?: string;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly traceId: string | undefined;
  readonly pointer: string | undefined;

  constructor(facts: ProblemFacts) {
    super(`${facts.status} ${facts.code}: ${facts.detail}`);
    this.status = facts.status;
    this.code = facts.code;
    this.title = facts.title;
    this.detail = facts.detail;
    this.traceId = facts.traceId;
    this.pointer = facts.pointer;
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
  });
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiProblem({ status: 0, code: 'unexpected', title: '', detail });
}
