// A doubly linked list whose links the listed values keep, one for each list that they may be in.

/** A place in one linked list; a value has one for each list that it may be in. */
export class Link<T> {
  readonly value: T;
  previous: Link<T> | undefined;
  next: Link<T> | undefined;
  list: LinkedList<T> | undefined;

  constructor(value: T) {
    this.value = value;
  }
}

/** Doubly linked, so that an answer in the middle costs as little as one at the front. */
export class LinkedList<T> {
  #head: Link<T> | undefined;
  #tail: Link<T> | undefined;

  get first(): T | undefined {
    return this.#head?.value;
  }

  get last(): T | undefined {
    return this.#tail?.value;
  }

  append(link: Link<T>): void {
    link.list = this;
    link.previous = this.#tail;
    if (this.#tail === undefined) this.#head = link;
    else this.#tail.next = link;
    this.#tail = link;
  }

  /** Takes a link of this list out. */
  remove(link: Link<T>): void {
    const { previous, next } = link;
    if (previous === undefined) this.#head = next;
    else previous.next = next;
    if (next === undefined) this.#tail = previous;
    else next.previous = previous;
    link.previous = undefined;
    link.next = undefined;
    link.list = undefined;
  }
}
