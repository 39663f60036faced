/**
 * Why a request was not answered as it was meant, without a full stop: in the server's own words, where they are for who
 * looks at a page; a page of something in between is none. `hasToken` says whether a token was sent.
 * @param {Response} response
 * @param {boolean} hasToken
 * @returns {Promise<string>}
 */
export async function sentenceOf(response, hasToken) {
  if (response.status === 401)
    return hasToken
      ? 'the server does not know the token that you gave: give another one, or forget it'
      : 'reading needs a token here: give yours';
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
