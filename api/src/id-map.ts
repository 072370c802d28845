const NONE = -1;
const FIRST_CAPACITY = 32;

/**
 * What is in work or waits, by the ids of its frames: a `Map` for ids that come and go all the time, oldest first.
 *
 * V8's `Map` makes a new table now and then, and the old one keeps its entries and points to the new one. Once a single old table has
 * reached the old generation, every table after it, with all requests that were ever in it, survives each young collection until the
 * next full one: pauses of 20 ms instead of 0.1, many times a second. Here nothing is left of what was deleted.
 */
export class IdMap<Value> {
  #capacity = FIRST_CAPACITY;
  #size = 0;
  /** places of the oldest and the youngest entry */
  #first = NONE;
  #last = NONE;
  #free = NONE;
  /** by hash: the first place of a chain */
  #chains = filled(FIRST_CAPACITY);
  /** by place: the next of its chain, or of the free ones */
  #next = filled(FIRST_CAPACITY);
  #older = filled(FIRST_CAPACITY);
  #younger = filled(FIRST_CAPACITY);
  #ids = new Float64Array(FIRST_CAPACITY);
  #values: (Value | undefined)[] = [];

  constructor() {
    this.#freeAll();
  }

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return this.#find(id) !== NONE;
  }

  get(id: number): Value | undefined {
    const place = this.#find(id);
    return place === NONE ? undefined : this.#values[place];
  }

  /** An id that is known already keeps its age. */
  set(id: number, value: Value): this {
    const known = this.#find(id);
    if (known === NONE) this.#add(id, value);
    else this.#values[known] = value;
    return this;
  }

  delete(id: number): boolean {
    let place = this.#chainOf(id);
    let before = NONE;
    while (place !== NONE && this.#ids[place] !== id) {
      before = place;
      place = at(this.#next, place);
    }
    if (place === NONE) return false;
    if (before === NONE) this.#chains[id % this.#capacity] = at(this.#next, place);
    else this.#next[before] = at(this.#next, place);
    const [older, younger] = [at(this.#older, place), at(this.#younger, place)];
    if (older === NONE) this.#first = younger;
    else this.#younger[older] = younger;
    if (younger === NONE) this.#last = older;
    else this.#older[younger] = older;
    this.#values[place] = undefined;
    this.#next[place] = this.#free;
    this.#free = place;
    this.#size -= 1;
    return true;
  }

  clear(): void {
    this.#chains.fill(NONE);
    this.#values = [];
    this.#size = 0;
    this.#first = NONE;
    this.#last = NONE;
    this.#freeAll();
  }

  oldest(): Value | undefined {
    return this.#values[this.#first];
  }

  /** Oldest first. Only the entry that was given out last may be deleted meanwhile. */
  *entries(): Generator<readonly [id: number, value: Value], undefined> {
    let place = this.#first;
    while (place !== NONE) {
      const younger = at(this.#younger, place);
      yield this.#entry(place);
      place = younger;
    }
  }

  /** As {@link entries}. */
  *values(): Generator<Value, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  #entry(place: number): readonly [number, Value] {
    return [at(this.#ids, place), this.#values[place] as Value];
  }

  #find(id: number): number {
    let place = this.#chainOf(id);
    while (place !== NONE && this.#ids[place] !== id) place = at(this.#next, place);
    return place;
  }

  #chainOf(id: number): number {
    return at(this.#chains, id % this.#capacity);
  }

  #add(id: number, value: Value): void {
    if (this.#free === NONE) this.#grow();
    const place = this.#free;
    const hash = id % this.#capacity;
    this.#free = at(this.#next, place);
    this.#next[place] = at(this.#chains, hash);
    this.#chains[hash] = place;
    this.#older[place] = this.#last;
    this.#younger[place] = NONE;
    if (this.#last === NONE) this.#first = place;
    else this.#younger[this.#last] = place;
    this.#last = place;
    this.#ids[place] = id;
    this.#values[place] = value;
    this.#size += 1;
  }

  #grow(): void {
    const entries = [...this.entries()];
    this.#capacity *= 2;
    this.#chains = filled(this.#capacity);
    this.#next = filled(this.#capacity);
    this.#older = filled(this.#capacity);
    this.#younger = filled(this.#capacity);
    this.#ids = new Float64Array(this.#capacity);
    this.clear();
    for (const [id, value] of entries) this.#add(id, value);
  }

  #freeAll(): void {
    for (let place = 0; place < this.#capacity; place += 1) {
      this.#next[place] = place + 1 < this.#capacity ? place + 1 : NONE;
    }
    this.#free = 0;
  }
}

function filled(length: number): Int32Array {
  return new Int32Array(length).fill(NONE);
}

/** All places are within bounds. */
function at(places: Int32Array | Float64Array, index: number): number {
  return places[index] as number;
}
