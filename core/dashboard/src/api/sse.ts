// Server-sent events as WHATWG HTML §9.2.6 reads them, fed with text in pieces of any size.

export interface ServerEvent {
  /** The `event` field; "message" without one. */
  type: string;
  data: string;
  /** The last `id` seen so far, of this or an earlier event. */
  id: string;
}

export class SseParser {
  private rest = '';
  private begun = false;
  private afterCr = false;
  private type = '';
  private data: string[] = [];
  /** To be sent as Last-Event-ID when connecting again. */
  lastId = '';
  /** What the server asked to wait before connecting again, in milliseconds. */
  retryMs: number | null = null;

  constructor(private readonly emit: (event: ServerEvent) => void) {}

  /** Takes the next piece. A line or event that is not complete yet waits for the following pieces. */
  push(piece: string): void {
    let text = piece;
    if (!this.begun && text !== '') {
      this.begun = true;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    // The line feed of a CRLF that was cut in two.
    if (this.afterCr && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') this.afterCr = false;
    this.rest += text;
    let start = 0;
    const ends = /\r\n|\r|\n/g;
    for (let end = ends.exec(this.rest); end !== null; end = ends.exec(this.rest)) {
      this.line(this.rest.slice(start, end.index));
      start = end.index + end[0].length;
      if (end[0] === '\r' && start === this.rest.length) this.afterCr = true;
    }
    this.rest = this.rest.slice(start);
  }

  private line(line: string): void {
    if (line === '') {
      this.dispatch();
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.type = value;
    else if (field === 'data') this.data.push(value);
    else if (field === 'id' && !value.includes('\0')) this.lastId = value;
    else if (field === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value);
  }

  private dispatch(): void {
    const [type, data] = [this.type, this.data];
    this.type = '';
    this.data = [];
    if (data.length > 0) this.emit({ type: type === '' ? 'message' : type, data: data.join('\n'), id: this.lastId });
  }
}
