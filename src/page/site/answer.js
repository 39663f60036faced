/**
 * Why a request was not answered as it was meant, in the server's own words; a page of something in between is none.
 * @param {Response} response
 * @returns {Promise<string>}
 */
export async function sentenceOf(response) {
  const isPage = response.headers.get('content-type')?.startsWith('text/html') ?? false;
  const text = isPage ? '' : await response.text().catch(() => '');
  const said = errorsIn(text) ?? text.trim();
  return said === '' || said.length > 1000 ? `the server answers ${response.status}` : said;
}

/** @param {string} text */
function errorsIn(text) {
  try {
    const { errors } = JSON.parse(text);
    return Array.isArray(errors) ? errors.join('; ') : undefined;
  } catch {
    return undefined;
  }
}
